/** Prints the OpenAPI 3.1 document of the center's REST interface: `node apps/center/openapi.ts > schema/openapi.json`. */
import { renderOpenApi } from './http/render-openapi.ts'

process.stdout.write(await renderOpenApi())
