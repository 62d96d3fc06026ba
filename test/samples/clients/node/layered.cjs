const { from: fromLayer } = require("in-layer")
const { from: fromBoth } = require("in-both")

exports.handler = async () => ({ fromLayer, fromBoth })
