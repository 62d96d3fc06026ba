/** What `esb certs` can be told, and every command that makes certificates on the way. */
import { join, resolve } from "node:path"
import * as Setting from "../Setting.ts"

export const certificates = Setting.group("Certificates", {
  directory: Setting.optional(Setting.Text)(
    ["ESB_CERT_DIR", "CERT_DIR"],
    "Directory of the certificates",
    "certs in the state directory"
  ),
  san: Setting.List(
    "ESB_CERT_SANS",
    "Names and addresses of servers, besides those that every stack has and those that they have already",
    []
  ),
  validityHours: Setting.Int({ min: 1, max: 876_000 })(
    "ESB_CERT_VALIDITY_HOURS",
    "Hours for which new certificates are valid; an authority lasts for 87600, or as long as its first certificates",
    87_600
  )
})
export type CertificateSettings = Setting.Values<typeof certificates>

/** Where the certificates of a stack are. */
export const directoryIn = (home: string, { directory }: CertificateSettings): string =>
  directory === undefined ? join(home, "certs") : resolve(directory)
