/** Messages that are almost right: bytes of valid ones, changed as a faulty or hostile sender changes them. */

/** Numbers from 0 up to, but not including, a bound; the same for the same seed. */
export type Chance = (bound: number) => number

/** Mulberry32, a generator of 32 bits of state. */
export const chance = (seed: number): Chance => {
  let state = seed | 0
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * bound)
  }
}

export const anyOf = <A>(given: ReadonlyArray<A>, pick: Chance): A => given[pick(given.length)] as A

const noise = (length: number, pick: Chance): Buffer => Buffer.from(Array.from({ length }, () => pick(256)))

const around = (bytes: Buffer, at: number, cut: number, put: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)])

type Mutation = (bytes: Buffer, others: ReadonlyArray<Buffer>, pick: Chance) => Buffer

/** Lengths and numbers that decoders stumble over, as varints. */
const awkward = [
  "00",
  "7f",
  "8001",
  "ffffffff07",
  "8080808008",
  "ffffffff0f",
  "ffffffffffffffffff01",
  "ffffffffffffffffffffff"
]

const mutations: ReadonlyArray<Mutation> = [
  // A bit is flipped, a byte is another, a letter is another.
  (bytes, _, pick) => {
    const at = pick(bytes.length + 1)
    return around(bytes, at, 1, Buffer.of((bytes[at] ?? 0) ^ (1 << pick(8))))
  },
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 1, noise(1, pick)),
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 1, Buffer.of(pick(128))),
  // Something is missing, cut off, doubled, or too much.
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 1 + pick(8), Buffer.alloc(0)),
  (bytes, _, pick) => bytes.subarray(0, pick(bytes.length + 1)),
  (bytes, _, pick) => {
    const from = pick(bytes.length + 1)
    return around(bytes, pick(bytes.length + 1), 0, bytes.subarray(from, from + pick(64)))
  },
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 0, noise(1 + pick(16), pick)),
  // A length or a number is absurd.
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 1, Buffer.from(anyOf(awkward, pick), "hex")),
  // Text is no UTF-8.
  (bytes, _, pick) => around(bytes, pick(bytes.length + 1), 2, Buffer.of(0xc0 + pick(64), 0x20 + pick(64))),
  // A field nobody knows, or of another type: any number, any wire type.
  (bytes, _, pick) => Buffer.concat([bytes, Buffer.of((pick(31) << 3) | pick(8)), noise(pick(12), pick)]),
  // The message goes on as another one.
  (bytes, others, pick) => Buffer.concat([bytes.subarray(0, pick(bytes.length + 1)), anyOf(others, pick)]),
  (_, __, pick) => noise(pick(128), pick)
]

/** `bytes`, one of the valid messages, after one to three mutations; mostly one. */
export const mutated = (bytes: Buffer, valid: ReadonlyArray<Buffer>, pick: Chance): Buffer => {
  let result = bytes
  for (let left = Math.max(1, pick(6) - 2); left > 0; left -= 1) result = anyOf(mutations, pick)(result, valid, pick)
  return result
}
