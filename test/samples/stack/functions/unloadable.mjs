import "./no-such-module.mjs"

export const handler = async () => "never"
