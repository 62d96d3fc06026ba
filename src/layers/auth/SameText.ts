/** Comparison of secrets. */
import { hash, timingSafeEqual } from "node:crypto"

/** Takes the same time wherever two texts differ, and whatever their lengths. */
export const sameText = (left: string, right: string): boolean =>
  timingSafeEqual(hash("sha256", left, "buffer"), hash("sha256", right, "buffer"))
