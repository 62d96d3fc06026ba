/** ARNs of functions. The machine is nobody's account, so the account is all zeros. */
export const account = "000000000000"

export const of = (region: string, name: string, qualifier?: string): string =>
  `arn:aws:lambda:${region}:${account}:function:${name}${qualifier === undefined ? "" : `:${qualifier}`}`
