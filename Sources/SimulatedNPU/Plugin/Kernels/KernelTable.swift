// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// Converted one by one: converting whole arrays looks the conformance up at run time, where plugins written in Swift get in each other's way.
let allKernels: [any Kernel<NPUDevice>] = [
    elementwiseKernels, activationKernels, reductionKernels, normalizationKernels, quantizationKernels, movementKernels, poolingKernels,
    matrixKernels, convolutionKernels, layoutKernels,
].joined().map { $0 as any Kernel<NPUDevice> }
