/** Who is who between Gateway and Agent, as their certificates say. */

/** In the subject alternative name of a Gateway's certificate. The authority certifies servers too: only this makes a client. */
export const gatewayUri = "esb:gateway"

/** Whether a subject alternative name, as `DNS:gateway, URI:esb:gateway`, is a Gateway's. */
export const isGateway = (subjectAltName: string | undefined): boolean =>
  (subjectAltName ?? "").split(", ").includes(`URI:${gatewayUri}`)
