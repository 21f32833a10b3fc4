import type { OnProgress } from "../../errors.js"
import type { PtauFile } from "./file.js"
export async function checkPtau(_ptau: PtauFile, _options: { onProgress?: OnProgress | undefined; signal?: AbortSignal | undefined }): Promise<void> {}
