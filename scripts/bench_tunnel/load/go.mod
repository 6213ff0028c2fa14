module h3ws.local/load

go 1.19
