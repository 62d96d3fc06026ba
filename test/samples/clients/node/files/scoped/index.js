const later = await Promise.resolve("top level await")

export const handler = async () => later
