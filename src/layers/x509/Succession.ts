/** How a bundle follows another while peers, which look at their own files at moments of their own, do the same. */
import type { CertificateBundle } from "#services/Certificates"

/**
 * What to show and whom to believe, step by step. Each step has to last until every peer has taken the one before it. Under the
 * same authority one is enough. A new authority is believed first, then shown, and the old one is believed until all have done so.
 */
export const steps = (before: CertificateBundle, after: CertificateBundle): ReadonlyArray<CertificateBundle> => {
  if (before.authority === after.authority) return [after]
  const both = `${after.authority}\n${before.authority}`
  return [{ ...before, authority: both }, { ...after, authority: both }, after]
}
