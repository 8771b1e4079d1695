// Package onnxpb holds the messages of the ONNX file format that this program
// uses, generated from onnx.proto and wire compatible with the official ones.
package onnxpb

//go:generate ./generate.sh
