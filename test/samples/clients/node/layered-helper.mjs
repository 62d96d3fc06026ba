export { from } from "in-both"
