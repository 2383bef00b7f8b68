import { join } from 'node:path'
import { createKeyFile } from '../../bridges/zmq/keys.ts'
import { makeFolder } from '../io/atomic.ts'
import { ArmatureError } from '../core/errors.ts'
import type { CliContext } from './context.ts'

export interface KeygenOptions {
  /** Folder of the key file; default: the present one. */
  readonly out?: string
}

export interface KeygenReport {
  /** Holds the secret key: for its owner only. */
  readonly path: string
  /** 40 characters of Z85, to be given to others. */
  readonly publicKey: string
}

/** `armature keygen`: a key pair for one end of a bridge, in a file `<name>.key` that only its owner can read. */
export async function keygen(context: CliContext, name: string, { out = '.' }: KeygenOptions): Promise<KeygenReport> {
  if (!/^[\w.-]{1,64}$/.test(name) || name.startsWith('.')) {
    throw new ArmatureError('bad-argument', 'name of a key', {
      expected: 'letters, digits, dots, dashes and underscores, at most 64',
      got: `"${name}"`,
    })
  }
  const path = join(out, `${name}.key`)
  await makeFolder(out)
  const { publicKey } = await createKeyFile(path, name)
  context.print(`${path}: keep it secret`)
  context.print(`public key: ${publicKey}`)
  context.print(`on the robot: ${context.invocation(`authorize '${publicKey}' --name ${name} --role controller`)}`)
  return { path, publicKey }
}
