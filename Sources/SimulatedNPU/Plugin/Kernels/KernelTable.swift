// SPDX-License-Identifier: Apache-2.0
import PluginKit

let allKernels: [any Kernel<NPUDevice>] = [elementwiseKernels, matrixKernels, convolutionKernels].flatMap { $0 }
