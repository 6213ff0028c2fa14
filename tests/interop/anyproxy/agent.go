package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

type agent struct {
	link
	forbid string
	mutex  sync.Mutex
	conns  map[string]net.Conn
}

func runAgent(url, ca string, auth authData, ping time.Duration, forbid string) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: roots}}
	socket, _, err := dialer.Dial(url, nil)
	if err != nil {
		log.Fatal("dial: ", err)
	}
	defer socket.Close()
	a := &agent{link: link{socket: socket}, forbid: forbid, conns: map[string]net.Conn{}}
	if err := a.send("auth", auth); err != nil {
		log.Fatal("write auth: ", err)
	}
	go func() {
		for range time.Tick(ping) {
			if a.send("ping", timeData{time.Now().Unix()}) != nil {
				return
			}
		}
	}()
	for {
		var message Message
		if err := socket.ReadJSON(&message); err != nil {
			tell("ended", map[string]any{"reason": err.Error()})
			return
		}
		a.handle(message)
	}
}

func (a *agent) handle(message Message) {
	switch message.Type {
	case "connect":
		var data connectData
		parse(message, &data)
		go a.connect(data)
	case "data":
		var data payloadData
		parse(message, &data)
		a.write(data)
	case "close":
		var data closeData
		parse(message, &data)
		if conn := a.take(data.ConnectionID); conn != nil {
			conn.Close()
		}
		tell("close", map[string]any{"reason": data.Reason})
	case "ping":
		_ = a.send("pong", message.Data)
	default:
		var fields map[string]any
		parse(message, &fields)
		tell(message.Type, fields)
	}
}

func parse(message Message, into any) {
	if err := json.Unmarshal(message.Data, into); err != nil {
		log.Fatalf("%s: %v: %s", message.Type, err, message.Data)
	}
}

// take forgets a connection, and gives it to the one who is first to do so.
func (a *agent) take(id string) net.Conn {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	conn := a.conns[id]
	delete(a.conns, id)
	return conn
}

func (a *agent) connect(data connectData) {
	id := data.ConnectionID
	if data.TargetHost == a.forbid {
		_ = a.send("connect_response", connectResponse{id, false, "forbidden"})
		_ = a.send("error", errorData{"FORBIDDEN_HOST", data.TargetHost + " is forbidden", id})
		return
	}
	address := net.JoinHostPort(data.TargetHost, strconv.Itoa(data.TargetPort))
	conn, err := net.DialTimeout(data.Protocol, address, 10*time.Second)
	if err != nil {
		_ = a.send("connect_response", connectResponse{id, false, err.Error()})
		return
	}
	a.mutex.Lock()
	a.conns[id] = conn
	a.mutex.Unlock()
	_ = a.send("connect_response", connectResponse{id, true, "Connection established"})
	err = a.pump(id, conn)
	if a.take(id) != nil {
		_ = a.send("close", closeData{id, err.Error()})
	}
	conn.Close()
}

func (a *agent) write(data payloadData) {
	a.mutex.Lock()
	conn := a.conns[data.ConnectionID]
	a.mutex.Unlock()
	if conn == nil {
		return
	}
	bytes, err := base64.StdEncoding.DecodeString(data.Payload)
	if err != nil {
		_ = a.send("error", errorData{"INVALID_MESSAGE", err.Error(), data.ConnectionID})
		return
	}
	if _, err := conn.Write(bytes); err != nil && a.take(data.ConnectionID) != nil {
		_ = a.send("close", closeData{data.ConnectionID, err.Error()})
		conn.Close()
	}
}
