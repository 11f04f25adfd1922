// SPDX-License-Identifier: Apache-2.0
import PluginKit

/// The kernels written for speed; every other operator has its generic kernel.
///
/// Converted one by one: converting whole arrays looks the conformance up at run time, where plugins written in Swift get in each other's way.
let tunedKernels: [any Kernel<CPUDevice>] = [
    unaryKernels, binaryKernels, foldKernels, matrixKernels, quantizedProductKernels, quantizedConvolutionKernels, quantizationKernels,
    convolutionKernels, poolingKernels, normalizationKernels, reductionKernels, attentionKernels, rotaryKernels, movementKernels,
    layoutKernels, lineKernels, indexingKernels, transposedConvolutionKernels, resizeKernels, fusedKernels,
].joined().map { $0 as any Kernel<CPUDevice> }
