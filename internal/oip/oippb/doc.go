// Package oippb holds the messages and the gRPC service of the Open Inference Protocol, generated
// from grpc_service.proto by `make proto`.
package oippb
