"""A model of MLServer's that ONNX Runtime evaluates; MLServer brings none for ONNX files."""

import numpy
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Onnx(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"]
        )
        self.types = {i.name: numpy.int32 if "int32" in i.type else numpy.float32 for i in self.session.get_inputs()}
        return True

    async def predict(self, request: InferenceRequest) -> InferenceResponse:
        # Tensors with one dimension come back from the codec with two.
        inputs = {
            i.name: numpy.asarray(NumpyCodec.decode_input(i), dtype=self.types[i.name]).reshape(i.shape)
            for i in request.inputs
        }
        outputs = self.session.run(None, inputs)
        encoded = []
        for about, tensor in zip(self.session.get_outputs(), outputs):
            output = NumpyCodec.encode_output(about.name, tensor)
            output.shape = list(tensor.shape)
            encoded.append(output)
        return InferenceResponse(
            model_name=self.name, model_version=self.version, id=request.id, outputs=encoded
        )
