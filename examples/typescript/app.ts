import { sum } from "./Sum.ts"

interface Request {
  readonly queryStringParameters?: Readonly<Record<string, string>> | null
}

/** `/sum?a=1&b=2` */
export const handler = async (event: Request) => {
  const numbers = Object.values(event.queryStringParameters ?? {}).map(Number)
  const bad = numbers.some(Number.isNaN)
  return {
    statusCode: bad ? 400 : 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(bad ? { message: "every parameter must be a number" } : { sum: sum(numbers) })
  }
}
