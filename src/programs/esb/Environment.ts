/** The whole environment of this process, as it is handed to what is started from here: npm, pip, the Gateway. */
export const inherited = (): Readonly<Record<string, string | undefined>> => ({ ...process.env })
