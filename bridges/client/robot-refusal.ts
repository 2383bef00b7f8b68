import type { ErrorParts } from '../../src/core/errors.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { ErrorMessage } from '../protocol/messages.ts'
import type { RobotSchema } from '../protocol/schema.ts'
import { schemaDifferences } from '../protocol/schema.ts'

/**
 * The robot said no. `reason` is its code, and `schema` what it has, where that is what does not fit: an error `bad-argument` where the client
 * has said what it expects, else `env-failed`.
 */
export class RobotRefusal extends ArmatureError {
  readonly reason: ErrorMessage['code']
  readonly schema: RobotSchema | undefined

  /** @param expected what the client was made for, where it knows: with the robot's schema it tells what differs */
  constructor({ code, text, schema }: ErrorMessage, expected?: RobotSchema) {
    const differences = schema && expected ? schemaDifferences(expected, schema) : []
    const isOther = schema !== undefined && expected !== undefined && differences.length > 0
    super(
      isOther ? 'bad-argument' : 'env-failed',
      `the robot refuses (${code})`,
      isOther ? mismatch(expected.name, schema.name, differences) : { got: text },
    )
    this.reason = code
    this.schema = schema
  }
}

function mismatch(expected: string, robot: string, differences: readonly string[]): ErrorParts {
  return {
    expected,
    got: `${robot}, which has ${differences.join(', ')}`,
    fix:
      'use a policy for this kind of robot; if you know that it fits, accept the mismatch on both sides ' +
      '(acceptMismatch and allowsMismatch, --accept-mismatch and --allow-mismatch)',
  }
}
