/** docs/configuration.md as the settings of the programs say it. */
import { settings as agent } from "#programs/agent/Settings"
import { certificates } from "#programs/esb/CertificateSettings"
import { deploy } from "#programs/esb/DeploySettings"
import { images } from "#programs/esb/ImageSettings"
import { registry } from "#programs/esb/RegistrySettings"
import { settings as esb } from "#programs/esb/Settings"
import { stack } from "#programs/esb/StackSettings"
import { settings as gateway } from "#programs/gateway/Settings"
import { settings as provisioner } from "#programs/provisioner/Settings"
import { settings as runtimeNode } from "#programs/runtime-node/Settings"
import * as Setting from "#programs/Setting"

const bases = [
  "`ESB_BASE_IMAGE_<RUNTIME>`, such as `ESB_BASE_IMAGE_NODEJS24_X` or `ESB_BASE_IMAGE_PYTHON3_13`, names the image that images of a",
  "runtime begin with, in place of AWS's public one. Its entrypoint takes the handler as its argument, as AWS's do."
]

const asBuild = ["What `esb build` can be told counts here, too."]

const programs = [
  { title: "Gateway", file: "dist/gateway.js", settings: gateway },
  { title: "Agent", file: "dist/agent.js", settings: agent },
  { title: "Runtime node", file: "dist/runtime-node.js", settings: runtimeNode },
  { title: "Provisioner", file: "dist/provisioner.js", settings: provisioner },
  { title: "esb up", file: "dist/esb.js", settings: { ...esb, ...stack } },
  { title: "esb build", file: "dist/esb.js build", settings: images, also: bases },
  { title: "esb deploy", file: "dist/esb.js deploy", settings: deploy, also: asBuild },
  { title: "esb certs", file: "dist/esb.js certs", settings: certificates },
  { title: "esb doctor", file: "dist/esb.js doctor", settings: registry }
]

const code = (text: string) => `\`${text.replaceAll("|", "\\|")}\``
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "\\<")

const row = ({ about, env, expected, fallback, flag, isRequired }: Setting.Row) => {
  const variables = env
    .split(/, | or /)
    .map(code)
    .join(", ")
  const standard = isRequired ? "**required**" : fallback === "none" ? "–" : cell(fallback)
  return `| ${variables} | ${flag === undefined ? "–" : code(flag)} | ${standard} | ${cell(`${about}; ${expected}`)} |`
}

const section = ({ also, file, settings, title }: (typeof programs)[number]) => [
  `## ${title}`,
  "",
  `\`node ${file} --help\` tells the same.`,
  ...(also === undefined ? [] : ["", ...also]),
  ...[...Map.groupBy(Setting.rows(settings), ({ group }) => group)].flatMap(([group, rows]) => [
    "",
    `### ${title}: ${group}`,
    "",
    "| variable | flag | default | meaning |",
    "| --- | --- | --- | --- |",
    ...rows.map(row)
  ]),
  ""
]

export const page = (): string =>
  [
    "# Configuration",
    "",
    "Every setting of every program, made from the records that the programs read (`npx vitest run --project tidy -u`",
    "writes it anew). A flag wins over the environment, the environment over the default; an empty variable is an absent",
    "one; of several variables the first that has a value wins. A value that cannot be read stops the start with exit code 2",
    "and names its variable. A secret has no flag, because a command line is told to every process of the machine: it comes",
    "from its variable, or from the file that `<NAME>_FILE` names.",
    "",
    ...programs.flatMap(section)
  ].join("\n")
