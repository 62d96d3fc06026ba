import { expect, it } from "@effect/vitest"
import { page } from "./ConfigurationPage.ts"

it("docs/configuration.md says what the settings say", async () => {
  await expect(page()).toMatchFileSnapshot("../../docs/configuration.md")
})
