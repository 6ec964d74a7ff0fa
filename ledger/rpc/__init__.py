"""The edge: gRPC in and out. The only folder that knows grpc."""
