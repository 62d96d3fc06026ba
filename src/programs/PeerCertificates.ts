/** How Gateway and Agent prove themselves to each other, as the settings of either say. */
import * as FileCertificates from "#layers/x509/FileCertificates"
import * as NoCertificates from "#layers/x509/NoCertificates"

export interface TlsSettings {
  /** AGENT_GRPC_TLS_ENABLED */
  readonly enabled: boolean
  /** AGENT_GRPC_TLS_DISABLED, which wins. */
  readonly disabled: boolean
}

export const isSecure = ({ disabled, enabled }: TlsSettings): boolean => enabled && !disabled

export const layer = (settings: TlsSettings, files: FileCertificates.Options) =>
  isSecure(settings) ? FileCertificates.layer(files) : NoCertificates.layer
