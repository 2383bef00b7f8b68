import type { CommanderError } from 'commander'
import { Command } from 'commander'
import type { EngineName } from '../tensor/engine.ts'
import { ArmatureError } from '../core/errors.ts'
import type { CliContext, CliStreams } from './context.ts'
import { createContext, throwIfInterrupted } from './context.ts'
import type { RobotConnections, RobotFlags } from './remote.ts'

/** Options of every command. */
interface GlobalOptions {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly engine?: string
  readonly threads?: number
}

/** What `--engine` takes. */
export const ENGINES: readonly string[] = ['onnx', 'tensorflow', 'js', 'auto']

/** Passes on that help has been shown; all else that commander throws becomes an error of ours. */
export function refuse(error: CommanderError, command?: string): never {
  if (error.exitCode === 0) throw error
  const what = error.message.replaceAll(/^error: |\.$/g, '')
  throw new ArmatureError('bad-argument', what, {
    fix: `see "armature ${command === undefined ? '' : `${command} `}--help"`,
  })
}

/** One call of the command line: what its commands share. */
export class CommandLine {
  readonly program = new Command('armature')
  readonly streams: CliStreams
  /** Of a command that did its work: 1 where what it found is bad. */
  exitCode = 0
  readonly #argv: readonly string[]
  readonly #signal: AbortSignal

  /** @param argv the words after `armature` */
  constructor(argv: readonly string[], streams: CliStreams, signal: AbortSignal) {
    this.#argv = argv
    this.streams = streams
    this.#signal = signal
  }

  /**
   * Declares a command.
   * @param usage name and arguments, e.g. `eval <run>`
   * @param examples command lines without `armature`, each with what it does
   */
  command(usage: string, description: string, examples: Readonly<Record<string, string>>): Command {
    const lines = Object.entries(examples).map(([words, what]) => `  # ${what}\n  armature ${words}`)
    const command = this.program.command(usage).description(description).copyInheritedSettings(this.program)
    return command
      .exitOverride((error) => refuse(error, command.name()))
      .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
  }

  /** Whether some command is asked for its help. */
  get asksForHelp(): boolean {
    return this.#argv.some((word) => ['--help', '-h', 'help'].includes(word))
  }

  /** @throws ArmatureError `interrupted` where the process was told to end while it started. */
  context(): CliContext {
    const context = createContext(this.#argv, this.#global(), this.#signal, this.streams)
    throwIfInterrupted(context)
    return context
  }

  /** A context in which compiled programs run. */
  async withEngine(): Promise<CliContext> {
    const engine = this.#engineOptions()
    const { startEngine } = await import('../tensor/engine.ts')
    const { note } = await startEngine(engine)
    const context = this.context()
    if (note !== undefined) context.progress.print(`engine: ${note}\n`)
    return context
  }

  /** Does `work` with the robots that it asks for, and lets them go. */
  async withRobots<T>(
    context: CliContext,
    flags: RobotFlags,
    work: (robots: RobotConnections) => Promise<T>,
  ): Promise<T> {
    const { RobotConnections } = await import('./remote.ts')
    const robots = new RobotConnections(context, flags)
    try {
      return await work(robots)
    } finally {
      await robots.close()
    }
  }

  /** Ends a command with its result; `isGood` false makes the exit code 1. */
  finish({ json, stdout }: CliContext, result: unknown, isGood = true): void {
    if (json) stdout.write(`${JSON.stringify(result)}\n`)
    if (!isGood) this.exitCode = 1
  }

  #global(): GlobalOptions {
    return this.program.opts<GlobalOptions>()
  }

  #engineOptions(): { name?: EngineName | 'auto'; threads?: number } {
    const { engine: given, threads } = this.#global()
    // ARMATURE_ENGINE= is how shells say that it is not set.
    const engine = given === '' ? undefined : given
    if (engine !== undefined && !ENGINES.includes(engine)) {
      const source = this.program.getOptionValueSource('engine') === 'env' ? 'ARMATURE_ENGINE' : '--engine'
      throw new ArmatureError('bad-argument', source, {
        expected: ENGINES.join(' or '),
        got: engine,
        fix: 'see "armature doctor"',
      })
    }
    return {
      ...(engine === undefined ? {} : { name: engine as EngineName | 'auto' }),
      ...(threads === undefined ? {} : { threads }),
    }
  }
}
