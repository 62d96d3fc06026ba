Promise.reject(new Error("while loading"))
await new Promise((resolve) => setTimeout(resolve, 1000))
