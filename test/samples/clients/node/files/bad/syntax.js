exports.handler = async ( => {
