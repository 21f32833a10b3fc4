/** `countersign policy`: what a policy document says, in the integers of a model, and its digests. */
import type { PolicyDocument } from "../../attest/index.js"
import { readDocument } from "../claims.js"
import { withContracts } from "../contracts.js"
import { loadVerificationKey } from "../folder.js"
import { command } from "../options.js"
import { print } from "../terminal.js"

const checkCommand = command("check", "read a policy document strictly, and say what it means for a model")
  .argument("<document>", "policy document")
  .option("--key <file>", "verification key of a model whose answers it is for")
  .action(async (path: string, { key }) => {
    const document = await readDocument(path)
    const { documentDigest, integerLimits, onChainPolicy, noContracts, predicateOf, sixMonthsDays } =
      await import("../../attest/index.js")
    const layout = key === undefined ? undefined : loadVerificationKey(key).layout
    const limits = layout ? integerLimits(document, layout) : []
    // of bounds and what is unchecked the contracts change nothing
    const { policy, unchecked } = layout
      ? onChainPolicy({ ...document, finality: "none" }, layout, noContracts)
      : { policy: undefined, unchecked: [] }
    const digest = documentDigest(document)
    const proven = layout !== undefined && predicateOf(layout, digest) !== null
    const shown = limits.map(({ side, tensor: { name, scale }, elements, least, most }) => {
      const integers = { least, most }
      return { side, tensor: name, elements, integers, real: { least: least * scale, most: most * scale } }
    })
    print(
      {
        document: digest,
        name: document.name,
        limits: shown,
        bounds: policy?.bounds.length ?? null,
        proven,
        unchecked,
      },
      [
        `document  ${digest}`,
        `name      ${document.name}`,
        ...shown.map(
          ({ side, tensor, elements, integers, real }) =>
            `${side.padEnd(9)} ${tensor}${elements ? `[${elements.join(", ")}]` : ""}: ${real.least} to ${real.most} (integers ${integers.least} to ${integers.most})`,
        ),
        ...peopleLines(document),
        ...(proven
          ? ["proven    by a bit of the model; `audit --policy` shows that it is this document's"]
          : []),
        ...unchecked.map((what) => `unchecked ${what}: no contract can see it`),
        ...(document.retentionDays < sixMonthsDays
          ? [
              `retention ${document.retentionDays} days: deployers of high-risk systems keep logs for six months (EU AI Act, article 26(6))`,
            ]
          : []),
      ],
    )
  })

const peopleLines = ({ signOffs }: PolicyDocument): string[] =>
  signOffs.map(({ role, signer }) => `sign-off  ${role} ${signer}`)

const digestCommand = command("digest", "digest of a policy document, and of what contracts check of it")
  .argument("<document>", "policy document")
  .needs("--key <file>", "verification key of the model whose answers it is for")
const placeOf = withContracts(digestCommand)
digestCommand.action(async (path: string, options) => {
  const place = placeOf(options)
  const document = await readDocument(path)
  const { onChainPolicy, policyDigest } = await import("../../attest/index.js")
  const { layout } = loadVerificationKey(options.key)
  const { policy, unchecked } = onChainPolicy(document, layout, place.policyContracts(document.finality))
  const digest = policyDigest(policy)
  print({ digest, document: policy.document, policy, unchecked }, [
    `policy    ${digest}`,
    `document  ${policy.document}`,
    `bounds    ${policy.bounds.length}`,
    ...unchecked.map((what) => `unchecked ${what}: no contract can see it`),
  ])
})

export const policyCommand = command("policy", "what a policy document means, and its digests")
  .addCommand(checkCommand)
  .addCommand(digestCommand)
