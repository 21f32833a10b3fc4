#!/usr/bin/env node
/** The commands, in the order in which help lists them: a file each. */
import { Command } from "commander"
import { answerCommand } from "./cli/commands/answer.js"
import { attestCommand } from "./cli/commands/attest.js"
import { attestationCommand } from "./cli/commands/attestation.js"
import { auditCommand } from "./cli/commands/audit.js"
import { calldataCommand } from "./cli/commands/calldata.js"
import { challengeCommand } from "./cli/commands/challenge.js"
import { commitCommand } from "./cli/commands/commit.js"
import { compileCommand } from "./cli/commands/compile.js"
import { contractsCommand } from "./cli/commands/contracts.js"
import { convictCommand } from "./cli/commands/convict.js"
import { deliverCommand } from "./cli/commands/deliver.js"
import { disputeCommand } from "./cli/commands/dispute.js"
import { exportCommand } from "./cli/commands/export.js"
import { inspectCommand } from "./cli/commands/inspect.js"
import { logCommand } from "./cli/commands/log.js"
import { policyCommand } from "./cli/commands/policy.js"
import { proveCommand } from "./cli/commands/prove.js"
import { requestCommand } from "./cli/commands/request.js"
import { runCommand } from "./cli/commands/run.js"
import { settleCommand } from "./cli/commands/settle.js"
import { setupCommand } from "./cli/commands/setup.js"
import { signOffCommand } from "./cli/commands/sign-off.js"
import { verifyCommand } from "./cli/commands/verify.js"
import { watchCommand } from "./cli/commands/watch.js"
import { withdrawCommand } from "./cli/commands/withdraw.js"
import { execute } from "./cli/terminal.js"
import { softwareVersion } from "./cli/version.js"

const commands = [
  compileCommand,
  setupCommand,
  commitCommand,
  proveCommand,
  verifyCommand,
  calldataCommand,
  runCommand,
  inspectCommand,
  auditCommand,
  exportCommand,
  attestCommand,
  attestationCommand,
  signOffCommand,
  policyCommand,
  logCommand,
  contractsCommand,
  requestCommand,
  deliverCommand,
  challengeCommand,
  answerCommand,
  convictCommand,
  settleCommand,
  withdrawCommand,
  watchCommand,
  disputeCommand,
]

const program = new Command("countersign")
  .description("Prove which model produced which output, and check it anywhere.")
  .version(softwareVersion)
  .option("--json", "print one JSON object, of errors too")
  // what stands behind the name of a command is that command's
  .enablePositionalOptions()
for (const command of commands) program.addCommand(command)

await execute(program)
