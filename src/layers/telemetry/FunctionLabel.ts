/** The label by which figures name a function. Every name makes series of its own, and a series that was told once stays. */

/** Functions told by name; those beyond share one label. */
const mostFunctions = 500

/** What functions beyond {@link mostFunctions} are called: no function can have this name. */
const others = "(others)"

export type FunctionLabel = (functionName: string) => string

/** Who comes first keeps its name. */
export const make = (most: number = mostFunctions): FunctionLabel => {
  const named = new Set<string>()
  return (functionName) => {
    if (named.size < most) {
      named.add(functionName)
    }
    return named.has(functionName) ? functionName : others
  }
}
