/** Variables in the text of a configuration file, replaced before it is read as YAML. */

const reference = /\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g

/** `${NAME}` and `$NAME` become the value, `$$` becomes `$`. What has no value stays as it is written. */
export const substitute = (text: string, values: Readonly<Record<string, string | undefined>>): string =>
  text.replaceAll(reference, (whole, braced: string | undefined, bare: string | undefined) => {
    const name = braced ?? bare
    return name === undefined ? "$" : ((Object.hasOwn(values, name) ? values[name] : undefined) ?? whole)
  })

/** Text that {@link substitute} turns into this one again, whatever the values. */
export const escape = (text: string): string => text.replaceAll("$", () => "$$")
