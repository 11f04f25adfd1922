// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// The kernels written for speed; every other operator has its generic kernel.
let tunedKernels: [any Kernel<CPUDevice>] = [
    unaryKernels, binaryKernels, foldKernels, matrixKernels, quantizedProductKernels, quantizedConvolutionKernels, quantizationKernels,
    convolutionKernels, poolingKernels, normalizationKernels, reductionKernels, attentionKernels, rotaryKernels, movementKernels,
    layoutKernels, lineKernels, indexingKernels, transposedConvolutionKernels, resizeKernels,
].flatMap { $0 }
