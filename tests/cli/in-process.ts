import { runProgram } from '../../src/cli/run-program.ts'

/** What a command left behind that ran in this process. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `armature <args>` in this process; paths are relative to its working directory. */
export async function runHere(args: readonly string[], signal?: AbortSignal): Promise<Outcome> {
  const text = { stdout: '', stderr: '' }
  const stdout = { write: (piece: string) => (text.stdout += piece) }
  const stderr = { write: (piece: string) => (text.stderr += piece) }
  const code = await runProgram(args, { stdout, stderr, ...(signal === undefined ? {} : { signal }) })
  return { code, ...text }
}
