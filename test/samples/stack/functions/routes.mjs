/** Answers a route as the body asks it to, and else with the event it got. */
export const handler = async (event) =>
  event.path === "/answer" ? JSON.parse(event.body) : { statusCode: 200, body: JSON.stringify(event) }
