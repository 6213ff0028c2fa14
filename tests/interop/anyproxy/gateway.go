package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
)

type gateway struct {
	auth     authData
	upgrader websocket.Upgrader
	mutex    sync.Mutex
	agent    *link
	last     int
	users    map[string]*user
}

// user is a connection of a SOCKS5 client.
type user struct {
	net.Conn
	answer chan connectResponse
}

func runGateway(cert, key string, auth authData) {
	g := &gateway{auth: auth, users: map[string]*user{}}
	agents, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	socks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	tell("listening", map[string]any{
		"port":  agents.Addr().(*net.TCPAddr).Port,
		"socks": socks.Addr().(*net.TCPAddr).Port,
	})
	go func() {
		for {
			conn, err := socks.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go g.serveUser(conn)
		}
	}()
	http.HandleFunc("/ws", g.serveAgent)
	log.Fatal(http.ServeTLS(agents, nil, cert, key))
}

func (g *gateway) serveAgent(w http.ResponseWriter, r *http.Request) {
	socket, err := g.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	l := &link{socket: socket}
	var first Message
	if socket.ReadJSON(&first) != nil {
		return
	}
	var auth authData
	parse(first, &auth)
	if first.Type != "auth" || auth.Username != g.auth.Username || auth.Password != g.auth.Password {
		_ = l.send("auth_response", authResponse{false, "Authentication failed"})
		_ = l.send("error", errorData{Code: "AUTH_FAILED", Message: "wrong user or password"})
		return
	}
	g.mutex.Lock()
	g.agent = l
	g.mutex.Unlock()
	_ = l.send("auth_response", authResponse{true, "Authentication successful"})
	tell("agent", map[string]any{"client_id": auth.ClientID})
	for {
		var message Message
		if err := socket.ReadJSON(&message); err != nil {
			tell("gone", map[string]any{"reason": err.Error()})
			g.endUsers()
			return
		}
		g.handle(l, message)
	}
}

func (g *gateway) handle(l *link, message Message) {
	switch message.Type {
	case "connect_response":
		var data connectResponse
		parse(message, &data)
		if u := g.find(data.ConnectionID, false); u != nil {
			u.answer <- data
		}
	case "data":
		var data payloadData
		parse(message, &data)
		bytes, err := base64.StdEncoding.DecodeString(data.Payload)
		if err != nil {
			log.Fatal(err)
		}
		if u := g.find(data.ConnectionID, false); u != nil {
			_, _ = u.Write(bytes)
		}
	case "close":
		var data closeData
		parse(message, &data)
		if u := g.find(data.ConnectionID, true); u != nil {
			u.Close()
		}
		tell("close", map[string]any{"reason": data.Reason})
	case "ping":
		_ = l.send("pong", message.Data)
		tell("ping", nil)
	default:
		var fields map[string]any
		parse(message, &fields)
		tell(message.Type, fields)
	}
}

func (g *gateway) endUsers() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for _, u := range g.users {
		u.Close()
	}
	g.users = map[string]*user{}
}

func (g *gateway) find(id string, forget bool) *user {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	u := g.users[id]
	if forget {
		delete(g.users, id)
	}
	return u
}

func (g *gateway) serveUser(conn net.Conn) {
	defer conn.Close()
	host, port, err := readRequest(conn)
	if err != nil {
		return
	}
	u := &user{conn, make(chan connectResponse, 1)}
	g.mutex.Lock()
	g.last++
	id := "go-" + strconv.Itoa(g.last)
	g.users[id] = u
	l := g.agent
	g.mutex.Unlock()
	if l == nil || l.send("connect", connectData{id, host, port, "tcp"}) != nil {
		return
	}
	answer := <-u.answer
	reply := []byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	if !answer.Success {
		reply[1] = 4
		g.find(id, true)
	}
	if _, err := conn.Write(reply); err != nil || !answer.Success {
		return
	}
	err = l.pump(id, conn)
	if g.find(id, true) != nil {
		_ = l.send("close", closeData{id, err.Error()})
	}
}

// readRequest is SOCKS5 as far as a test needs it: no authentication, CONNECT.
func readRequest(conn net.Conn) (host string, port int, err error) {
	head := make([]byte, 2)
	if _, err = io.ReadFull(conn, head); err != nil {
		return
	}
	if _, err = io.CopyN(io.Discard, conn, int64(head[1])); err != nil {
		return
	}
	if _, err = conn.Write([]byte{5, 0}); err != nil {
		return
	}
	request := make([]byte, 5)
	if _, err = io.ReadFull(conn, request); err != nil {
		return
	}
	length := map[byte]int{1: 4, 3: int(request[4]), 4: 16}[request[3]]
	if request[1] != 1 || length == 0 {
		return "", 0, errors.New("only CONNECT to an address or a name")
	}
	address := make([]byte, length+2)
	if request[3] != 3 {
		address[0] = request[4]
		_, err = io.ReadFull(conn, address[1:])
		host = net.IP(address[:length]).String()
	} else {
		_, err = io.ReadFull(conn, address)
		host = string(address[:length])
	}
	return host, int(binary.BigEndian.Uint16(address[length:])), err
}
