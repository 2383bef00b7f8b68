import { vectorEnvContract } from '../../contracts/vector-env-cases.ts'

vectorEnvContract(0)
vectorEnvContract(2)
