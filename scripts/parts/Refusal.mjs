/** Something the reader of the terminal can act on: told in its own words, without a stack. */
export class Refusal extends Error {}

/** Runs a script's main act: a refusal is told in one line, anything else is a bug and shows its stack. */
export const runMain = async (main) => {
  try {
    process.exitCode = await main()
  } catch (error) {
    console.error(error instanceof Refusal ? error.message : error)
    process.exitCode = 1
  }
}
