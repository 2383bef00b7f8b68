import type { Command } from 'commander'
import { CommanderError, Option } from 'commander'
import { ArmatureError } from '../core/errors.ts'
import type { CommandLine } from './command-line.ts'
import { ENGINES, refuse } from './command-line.ts'
import { addBridgeCommands } from './commands-bridge.ts'
import { addDataCommand } from './commands-data.ts'
import { addLearningCommands } from './commands-learning.ts'
import { addMachineCommands } from './commands-machine.ts'
import { addSceneCommands } from './commands-scene.ts'
import { threads } from './options.ts'

/**
 * The command line: commands are declared here and loaded when called, so that help and refusals come at once.
 * Its `parseAsync` throws ArmatureError, or commander's own error with exit code 0 once help or the version has been shown.
 */
export async function buildProgram(line: CommandLine, version: string): Promise<Command> {
  const { program } = line
  const { stdout } = line.streams
  program
    .description('Robotics RL with learned state representations: scenes, encoders, SAC in latent space.')
    .version(version)
    .option('--json', 'one JSON object as the last line of stdout, also for an error: {"error": {"code", "message"}}')
    .option('--quiet', 'no progress and no text')
    .addOption(
      new Option('--engine <name>', `what runs compiled programs: ${ENGINES.join(', ')} (default: onnx)`).env(
        'ARMATURE_ENGINE',
      ),
    )
    .option('--threads <n>', 'threads of the engine (default: half the cores, at most 4)', threads)
    .option(
      '--module <file>',
      'run this .js or .ts file first: it registers envs, encoders or agents of yours; may be repeated',
      (file: string, others: readonly string[] | undefined) => [...(others ?? []), file],
    )
    .showSuggestionAfterError()
    .exitOverride((error) => {
      if (error.code !== 'commander.help' || error.exitCode === 0) refuse(error)
      program.outputHelp()
      throw new CommanderError(0, error.code, error.message)
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: () => {},
      getOutHelpWidth: () => stdout.columns ?? 100,
    })
    .hook('preAction', async (_program, command) => {
      requireNoBlanks(command)
      const { module: files = [] } = program.opts<{ module?: readonly string[] }>()
      if (files.length > 0) await (await import('./modules.ts')).loadModules(files)
    })
    .addHelpText(
      'after',
      `
Examples:
  # learn to push a puck from pixels in some minutes, and show it
  armature start
  # train a preset with another seed, and evaluate the run
  armature train rig-push --seed 1
  armature eval runs/rig-push-seed1

"armature <command> --help" says more of each.`,
    )
  program.commandsGroup('Learning:')
  await addLearningCommands(line)
  program.commandsGroup('Scenes and data:')
  addSceneCommands(line)
  addDataCommand(line)
  program.commandsGroup('Robots:')
  addBridgeCommands(line)
  program.commandsGroup('This installation:')
  addMachineCommands(line)
  return program
}

/** An empty word, e.g. of a shell variable that is not set, would mean the present folder. */
function requireNoBlanks(command: Command): void {
  const isBlank = (value: unknown): boolean => typeof value === 'string' && value.trim() === ''
  const option = Object.entries(command.opts()).find(([, value]) => isBlank(value))
  const what =
    option === undefined ? 'an argument' : `--${option[0].replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`
  if (option === undefined && !command.processedArgs.flat().some(isBlank)) return
  throw new ArmatureError('bad-argument', `${what} of "armature ${command.name()}"`, {
    expected: 'a word',
    got: 'an empty one',
  })
}
