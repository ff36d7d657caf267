// Package modules pins Testcontainers' module for Go, whose tests come with it, and what these need.
package modules

import (
	_ "github.com/IBM/sarama"
	_ "github.com/stretchr/testify/require"
	_ "github.com/testcontainers/testcontainers-go/modules/kafka"
)
