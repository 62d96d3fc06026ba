/** Which esb this is. */

/** Written in by the build; absent when the sources run as they are. */
declare const ESB_VERSION: string | undefined

/** `0.1.0+684d939`: the release, and the commit when it was built from a checkout. */
export const version: string = typeof ESB_VERSION === "string" ? ESB_VERSION : "0.0.0+source"
