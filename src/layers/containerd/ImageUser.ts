/** Whom an image wants its program to run as, in the words of its own lists of users and groups. */
import { Result } from "effect"
import type { ContainerUser } from "#domain/ContainerLimits"

/** `/etc/passwd` and `/etc/group` of the image; empty where it has none. */
export interface UserLists {
  readonly users: string
  readonly groups: string
}

const greatestId = 0x7f_ff_ff_ff

/** `undefined`: a name, or more than the kernel counts. */
const numberOf = (text: string): number | undefined => {
  const id = /^\d+$/.test(text) ? Number(text) : Number.NaN
  return id <= greatestId ? id : undefined
}

/** The fields of the line whose first field, or whose third, is the one that is looked for. */
const lineOf = (list: string, wanted: string): ReadonlyArray<string> | undefined =>
  list
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name, , id]) => name === wanted || id === wanted)

/**
 * `app`, `app:staff`, `1000`, `1000:1000`; without a group it is the user's own, and root's where nobody knows the user.
 * `undefined` where the image names nobody. Fails with the name that nobody knows.
 */
export const find = (named: string, { groups, users }: UserLists): Result.Result<ContainerUser | undefined, string> => {
  if (named === "") return Result.succeed(undefined)
  const [userName = "", groupName = ""] = named.split(":")
  const user = lineOf(users, userName)
  const uid = numberOf(userName) ?? numberOf(user?.[2] ?? "")
  if (uid === undefined) return Result.fail(`the image has no user ${JSON.stringify(userName)}`)
  if (groupName === "") return Result.succeed({ uid, gid: numberOf(user?.[3] ?? "") ?? 0 })
  const gid = numberOf(groupName) ?? numberOf(lineOf(groups, groupName)?.[2] ?? "")
  return gid === undefined
    ? Result.fail(`the image has no group ${JSON.stringify(groupName)}`)
    : Result.succeed({ uid, gid })
}
