// SPDX-License-Identifier: Apache-2.0
import PluginKit

let allKernels: [any Kernel<NPUDevice>] = [
    elementwiseKernels, activationKernels, reductionKernels, normalizationKernels, quantizationKernels, movementKernels, poolingKernels,
].flatMap { $0 }
