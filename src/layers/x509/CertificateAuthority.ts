/** Makes keys and certificates, in memory. Keys are P-256; an authority that somebody else made may have another kind. */
// oxlint-disable-next-line import/no-unassigned-import -- it adds to Reflect what @peculiar/x509 looks for there
import "reflect-metadata"
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  AuthorityKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator
} from "@peculiar/x509"
import { Effect, Redacted, Schema } from "effect"
import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from "node:crypto"

/** A certificate and the key that belongs to it, as PEM. */
export interface Issued {
  readonly certificate: string
  readonly key: Redacted.Redacted
}

export interface Period {
  readonly from: Date
  readonly to: Date
}

/** What somebody who is certified may say of himself. */
export interface Leaf {
  readonly commonName: string
  readonly names: JsonGeneralNames
  /** What the certificate proves: that of a server, of a client. */
  readonly usages: ReadonlyArray<"server" | "client">
}

const p256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

const extendedUsages = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth }

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(p256, true, ["sign", "verify"])

/** 127 bits: positive, and never told twice. */
const newSerial = (): string => {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes.toString("hex")
}

const issued = async (certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<Issued> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key))
  const pem = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" })
  return { certificate: `${certificate.toString("pem")}\n`, key: Redacted.make(pem.toString()) }
}

/** An authority that certifies leaves, but no other authority. */
export const make = (commonName: string, period: Period): Effect.Effect<Issued> =>
  Effect.promise(async () => {
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.createSelfSigned(
      {
        keys,
        name: [{ CN: [commonName] }],
        serialNumber: newSerial(),
        notBefore: period.from,
        notAfter: period.to,
        signingAlgorithm: p256,
        extensions: [
          new BasicConstraintsExtension(true, 0, true),
          new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
          await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto)
        ]
      },
      webcrypto
    )
    return issued(certificate, keys.privateKey)
  })

const curves: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" }

/** How a key signs. */
const algorithmOf = ({ asymmetricKeyDetails, asymmetricKeyType }: KeyObject) => {
  const namedCurve = curves[asymmetricKeyDetails?.namedCurve ?? ""]
  if (asymmetricKeyType === "ec" && namedCurve !== undefined) return { ...p256, namedCurve }
  if (asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
  throw new Error(`a key of the kind ${asymmetricKeyType} signs no certificates here`)
}

const extensionsOf = async (leaf: Leaf, key: webcrypto.CryptoKey, authority: X509Certificate) => {
  const authorityKey = authority.getExtension(SubjectKeyIdentifierExtension)?.keyId
  const extensions: Array<Extension> = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    await SubjectKeyIdentifierExtension.create(key, false, webcrypto)
  ]
  // It tells authorities of the same name apart, which a renewed one has.
  if (authorityKey !== undefined) extensions.push(new AuthorityKeyIdentifierExtension(authorityKey))
  if (leaf.usages.length > 0) {
    extensions.push(new ExtendedKeyUsageExtension(leaf.usages.map((usage) => extendedUsages[usage])))
  }
  if (leaf.names.length > 0) extensions.push(new SubjectAlternativeNameExtension(leaf.names))
  return extensions
}

/** The authority's key is none that can sign. */
export class CannotIssue extends Schema.TaggedError<CannotIssue>()("CannotIssue", { message: Schema.String }) {}

/** A new key and its certificate. A leaf ends with its authority at the latest. */
export const issue = (authority: Issued, leaf: Leaf, period: Period): Effect.Effect<Issued, CannotIssue> =>
  Effect.tryPromise({
    try: async () => {
      const issuer = new X509Certificate(authority.certificate)
      const signer = createPrivateKey(Redacted.value(authority.key))
      const signingAlgorithm = algorithmOf(signer)
      const keys = await newKeys()
      const certificate = await X509CertificateGenerator.create(
        {
          publicKey: keys.publicKey,
          signingKey: signer.toCryptoKey(signingAlgorithm, false, ["sign"]),
          signingAlgorithm,
          subject: [{ CN: [leaf.commonName] }],
          issuer: issuer.subjectName,
          serialNumber: newSerial(),
          notBefore: period.from,
          notAfter: issuer.notAfter < period.to ? issuer.notAfter : period.to,
          extensions: await extensionsOf(leaf, keys.publicKey, issuer)
        },
        webcrypto
      )
      return issued(certificate, keys.privateKey)
    },
    catch: (cause) => new CannotIssue({ message: cause instanceof Error ? cause.message : String(cause) })
  })
