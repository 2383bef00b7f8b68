import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The Python of these tests: `ARMATURE_PYTHON`, or else `python3`. */
export const python: string = process.env['ARMATURE_PYTHON'] ?? 'python3'

/** Why tests that need `modules` cannot run, for their titles; empty where they can. */
export function whyNoPython(...modules: readonly string[]): string {
  const { status, stderr, error } = spawnSync(python, ['-c', `import ${modules.join(', ')}`], { encoding: 'utf8' })
  if (error !== undefined) return `no ${python}`
  return status === 0 ? '' : (stderr.trim().split('\n').at(-1) ?? 'import failed')
}

/** The path of a file beside this one. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** Runs a command of `peer.py` with `input` and gives back what it printed. */
export function runPeer(command: string, input: Uint8Array = Buffer.alloc(0), ...rest: readonly string[]): Buffer {
  const parts = [scriptPath('peer.py'), command, ...rest]
  const { status, stdout, stderr } = spawnSync(python, parts, { input, timeout: 60_000 })
  if (status !== 0) throw new Error(`peer.py ${command}: ${stderr.toString()}`)
  return stdout
}

/** Messages with their length before them, as `peer.py` reads and writes them. */
export function frame(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(message.length)
      return [length, message]
    }),
  )
}

export function unframe(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32LE(at)
    messages.push(bytes.subarray(at + 4, end))
    at = end
  }
  return messages
}

/** Runs a command of `session.py` against a robot, which may be in this process. */
export async function runSession(command: string, address: string, keys: readonly string[] = []): Promise<unknown> {
  const rest = keys.length === 0 ? [] : [JSON.stringify(keys)]
  const parts = [scriptPath('session.py'), command, address, ...rest]
  const { stdout } = await promisify(execFile)(python, ['-W', 'ignore', ...parts], { timeout: 60_000 })
  return JSON.parse(stdout.trim().split('\n').at(-1)!)
}
