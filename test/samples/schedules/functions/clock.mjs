/** Writes down what it is told. */
export const handler = async (event) => console.log(JSON.stringify(event))
