process.on("SIGTERM", () => {
  console.log("cleaned up")
  process.exit(7)
})

exports.handler = async () => "ready"
