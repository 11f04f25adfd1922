// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// The kernels written for speed; every other operator has its generic kernel.
let tunedKernels: [any Kernel<CPUDevice>] =
    unaryKernels + binaryKernels + matrixKernels + convolutionKernels + poolingKernels + normalizationKernels + reductionKernels
    + movementKernels
