import { stat } from 'node:fs/promises'
import type { AuthorizedKey, Role } from './keys.ts'
import { readAuthorizedKeys, ROLES } from './keys.ts'

/**
 * Who may connect, as in the file now: {@link reload} is called about once a second, so that a key that is added, changed or taken out counts
 * without a restart. A file that cannot be read leaves the list as it was.
 */
export class Authorization {
  readonly #path: string
  /** Milliseconds since the epoch: keys expire by the calendar. */
  readonly #wallClock: () => number
  #keys = new Map<string, AuthorizedKey>()
  #stamp = ''

  private constructor(path: string, wallClock: () => number) {
    this.#path = path
    this.#wallClock = wallClock
  }

  /** @throws ArmatureError `not-found` or `corrupt-file` */
  static async open(path: string, wallClock: () => number): Promise<Authorization> {
    const authorization = new Authorization(path, wallClock)
    await authorization.reload()
    return authorization
  }

  /**
   * Reads the file again if it has changed.
   * @throws ArmatureError `not-found` or `corrupt-file`; the keys then stay as they are
   */
  async reload(): Promise<void> {
    const stamp = await stat(this.#path).then(
      ({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`,
      () => 'missing',
    )
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    this.#keys = new Map((await readAuthorizedKeys(this.#path)).map((key) => [key.publicKey, key]))
  }

  /** The entry of a key, or why it is refused. */
  admit(publicKey: string): AuthorizedKey | string {
    const key = this.#keys.get(publicKey)
    if (key === undefined) return 'unknown key'
    if (key.expires !== undefined && Date.parse(key.expires) <= this.#wallClock()) {
      return `the key of ${key.name} expired at ${key.expires}`
    }
    return key
  }
}

/** Whether a key of role `granted` may act as `wanted`. */
export function covers(granted: Role, wanted: Role): boolean {
  return ROLES.indexOf(granted) >= ROLES.indexOf(wanted)
}
