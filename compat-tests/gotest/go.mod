module ottla.compat/gotest

go 1.23
