/**
 * Python modules that are machine code: each is compiled for one version of the interpreter, which its name tells.
 * @see https://peps.python.org/pep-3149/
 */

/** `_core.cpython-311-x86_64-linux-gnu.so`; a name with `abi3` instead is for every version. */
const compiledFor = /\.cpython-3(\d+)[a-z]*-[^/]*\.so$/

/** Those of these paths that an interpreter of `runtime` does not load, such as `python3.13`. */
export const foreign = (paths: ReadonlyArray<string>, runtime: string): ReadonlyArray<string> => {
  const minor = /^python3\.(\d+)$/.exec(runtime)?.[1]
  return minor === undefined ? [] : paths.filter((path) => (compiledFor.exec(path)?.[1] ?? minor) !== minor)
}
